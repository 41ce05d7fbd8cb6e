"""Every trait of the LMSes that the simulator can be."""

from tests.simulator.canvas import traits as canvas
from tests.simulator.moodle import traits as moodle
from tests.simulator.trait import Trait

TRAITS: tuple[Trait, ...] = (*moodle.TRAITS, *canvas.TRAITS)
