"""What a training prints at its end."""


def print_scores(recipe, result, to):
    """The scores of a run, of what they are, and the files that it has written."""
    from unet_tf import protocol, scores

    found = result["scores"]
    print(
        f"\nThe {result['scored_on']} part of the {result['data']} data, {found['images']} images:"
    )
    files = ["best.keras", "log.csv", "state.npz", "result.json (every score)", "picture.png"]
    files += ["predictions", "report.html (to look at)"]
    print(scores.table(found, found.get("baseline_report", found["baseline"])))
    if recipe.classes:
        print(
            f"\nMean IoU {found['mean_iou']:.4f}; a prediction of the most frequent class of each "
            f"place, whatever the image shows, has {found['baseline']:.4f}."
        )
        files += ["confusion.png", "classes.csv"]
    if result["scored_on"] == "validation":
        print(
            "\nThere is no test part. These images have chosen the best epoch: the scores are "
            "higher than on images that nothing has seen."
        )
    print(f"Written to {to}: {', '.join(files)}")
    if words := protocol.verdict_text(found, result["verdict"]):
        print(f"\n{words}")
