"""The embedded data, rendered: cars, the parts of cars, a town. No photographs."""

from unet_tf.rendered.car_files import CHILD, FILES, RENDER_VERSION, TEST, cars_folder
from unet_tf.rendered.car_files import write_cars
from unet_tf.rendered.car_part_files import car_parts_folder, write_car_parts
from unet_tf.rendered.car_pictures import PARTS, VOID, fill, outline, parts, render
from unet_tf.rendered.car_pictures import render_with_parts, void_border
from unet_tf.rendered.car_shapes import body, hubs, make_car, panes
from unet_tf.rendered.once import is_rendered
from unet_tf.rendered.town_board import Board, turned
from unet_tf.rendered.town_files import SPLIT, TOWN_VERSION, file_name, render_town, town_folder
from unet_tf.rendered.town_files import write_town

WRITERS = {"cars": write_cars, "town": write_town, "parts": write_car_parts}
