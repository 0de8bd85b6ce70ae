"""The command `reproduce`."""

from pathlib import Path

from unet_tf.cli.chosen import adjusted
from unet_tf.cli.train import how_to_train
from unet_tf.files import UserError, write_json, write_text


def run_reproduce(arguments):
    from unet_tf import data, network, protocol

    to = Path(arguments.to or "runs/reproduce")
    chosen = [recipe for recipe in protocol.RECIPES if recipe.name in arguments.recipe]
    if len({recipe.data for recipe in chosen}) > 1:
        raise UserError("these recipes are for different data: reproduce them one by one")
    folder = data.find(arguments.data, chosen[0].data)
    if not arguments.full:
        chosen = [protocol.quick(recipe) for recipe in chosen if recipe.variant == "corrected"]
    together, own_number = network.processes()
    summaries = []
    for recipe in chosen:
        recipe = adjusted(recipe, arguments)
        results = []
        for seed in range(arguments.seeds):
            print(f"\n{recipe.name}, {recipe.variant}, seed {seed}")
            own = to / recipe.slug / f"seed{seed}"
            how = {"resume": together == 1, **how_to_train(arguments)}
            results.append(protocol.run(recipe, folder, seed, own, **how))
        summaries.append(protocol.summary(results))
        if own_number == 0:  # the first process writes for all
            write_json(to / f"{recipe.slug}.json", summaries[-1])
    if own_number > 0:
        return
    text = protocol.table(summaries)
    write_text(to / "table.md", text + "\n")
    print(f"\n{text}\n")
    if summaries[0]["data"] == "rendered":
        print("These scores are of rendered images: the published ones are of photographs.")
    print(f"Table and records: {to}; pictures: {to}/*/seed0/picture.png")
