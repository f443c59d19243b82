"""OpenCV and onnxruntime: opencv_onnxruntime.py FOLDER MODEL BATCH, the whole image squeezed in."""

import os
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import cv2
import numpy as np
import onnxruntime

folder, model, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
session = onnxruntime.InferenceSession(model)
name = session.get_inputs()[0].name
_, height, width, channels = session.get_inputs()[0].shape
mode = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
files = sorted(os.listdir(folder))
for start in range(0, len(files), batch):
    tensors = []
    for file in files[start : start + batch]:
        image = cv2.imread(os.path.join(folder, file), mode)
        tensors.append(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    shape = (len(tensors), height, width, channels)
    answer = session.run(None, {name: np.stack(tensors).reshape(shape)})[0]
    for file, row in zip(files[start : start + batch], answer, strict=True):
        print(file, row.argmax(), row.max())
