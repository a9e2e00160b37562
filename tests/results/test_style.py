"""The look of figures, beside that of seaborn, which it is taken from."""

import matplotlib
import seaborn

from fsar.results.figures import style


def test_the_look_is_seaborns():
    whole = seaborn.axes_style("whitegrid") | seaborn.plotting_context("paper")
    sizes = {"axes.labelsize", "axes.titlesize", "legend.fontsize", "xtick.labelsize", "ytick.labelsize", "font.size"}
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        style.apply()
        own = {name: matplotlib.rcParams[name] for name in whole}
        matplotlib.rcParams.update(whole)
        matplotlib.rcParams.update(dict.fromkeys(sizes, style.FONT))
        expected = {name: matplotlib.rcParams[name] for name in whole}
    colour_map = {"image.cmap"}  # each picture names its own
    different = {
        name for name in whole if own[name] != expected[name] and not _near(own[name], expected[name])
    } - colour_map
    assert not different


def test_colours_are_those_for_the_colour_blind_while_they_suffice():
    for count in (1, 10):
        names = [f"method {number}" for number in range(count)]
        assert list(style.colours(names).values()) == seaborn.color_palette("colorblind", count)
    many = style.colours([f"method {number}" for number in range(11)])
    assert len(set(many.values())) == 11


def _near(one, other):
    return isinstance(one, float) and isinstance(other, float) and abs(one - other) < 1e-9
