"""The same with Pillow and LiteRT: plain_litert.py FOLDER MODEL.tflite, one image a call."""

import os
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

folder, model = sys.argv[1:]
interpreter = Interpreter(model)
run = interpreter.get_signature_runner()
(name, details), *_ = run.get_input_details().items()
_, height, width, _ = details["shape"]
for file in sorted(os.listdir(folder)):
    with Image.open(os.path.join(folder, file)) as image:
        tensor = np.asarray(image.convert("L").resize((width, height)))
    row = run(**{name: tensor[None, ..., None]})["probabilities"][0]
    print(file, row.argmax(), row.max())
