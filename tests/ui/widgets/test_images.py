from ipseg.ui.widgets.images import distinct


def test_each_image_has_a_name_of_its_own():
    given = ["in/mug.jpg", "other/mug.png", "MUG.png", "mug (2).jpg", "mug.webp", "a:b.png", ".png"]
    assert distinct(given) == ["mug", "mug (2)", "MUG (3)", "mug _2_", "mug (4)", "a_b", ".png"]
