"""Options that several commands have."""

import click

data_option = click.option(
    "--data",
    metavar="digits|PATH",
    default="digits",
    show_default=True,
    help="The examples: a folder per class (images, .wav, .npy), IDX, .npz, .npy, .csv.",
)
seed_option = click.option(
    "--seed", metavar="N", type=int, default=0, show_default=True, help="Same seed, same bytes."
)
