"""The identities: one object is one kind of object in one colour, the same in all its images."""

from functools import partial

from .scene import Placed

red_mug = partial(Placed, "mug", "red")
green_mug = partial(Placed, "mug", "green")
yellow_duck = partial(Placed, "duck", "yellow")
robot = partial(Placed, "robot", "teal")
cactus = partial(Placed, "cactus", "moss")
blue_teapot = partial(Placed, "teapot", "blue")
toy_car = partial(Placed, "car", "orange")
