import numpy as np

from ipseg.core import plugins
from ipseg.core.geometry import cells_inside, letterbox_frame
from ipseg.method.prototype import object_cells


def test_every_pixel_counts():
    shown = plugins.build("saliency", "none")(np.zeros((37, 53, 3), dtype=np.uint8))
    assert shown.shape == (37, 53)
    assert shown.dtype == np.float32
    assert (shown == 1).all()


def test_every_cell_on_the_image_counts():
    shown = plugins.build("saliency", "none")(np.zeros((37, 53, 3), dtype=np.uint8))
    frame = letterbox_frame((37, 53), 20)
    assert (object_cells(shown, frame, erosion=0) == cells_inside(frame)).all()
