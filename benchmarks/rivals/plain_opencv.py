"""The same with OpenCV alone: plain_opencv.py FOLDER MODEL SIDE, one image a call of cv2.dnn."""

import os
import sys

import cv2

folder, model, side = sys.argv[1], sys.argv[2], int(sys.argv[3])
network = cv2.dnn.readNetFromONNX(model)
for file in sorted(os.listdir(folder)):
    image = cv2.imread(os.path.join(folder, file), cv2.IMREAD_GRAYSCALE)
    tensor = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    network.setInput(tensor[None, ..., None])
    row = network.forward()[0]
    print(file, row.argmax(), row.max())
