"""The same with TensorFlow alone: plain_keras.py FOLDER SAVED_MODEL, in batches of 64."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf

folder, model = sys.argv[1:]
serve = tf.saved_model.load(model).signatures["serving_default"]
(name, spec), *_ = serve.structured_input_signature[1].items()
images = tf.keras.utils.image_dataset_from_directory(
    folder,
    labels=None,
    color_mode="grayscale",
    image_size=tuple(spec.shape[1:3]),
    batch_size=64,
    shuffle=False,
    verbose=False,
)
files = iter(images.file_paths)
for batch in images:
    for row in serve(**{name: tf.cast(batch, spec.dtype)})["probabilities"].numpy():
        print(os.path.basename(next(files)), row.argmax(), row.max())
