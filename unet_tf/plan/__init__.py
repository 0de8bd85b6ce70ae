"""Settings that follow from the data: what is found in a folder, and what follows from it."""

from unet_tf.plan.found import Found, found_in
from unet_tf.plan.planning import MINUTES, Plan, plan, read, recipe_for
