#!/usr/bin/env bash
# The whole circle on real photos, in an empty folder: a label is mined, asked about, learnt, measured and delivered.
#   TAGGER_DATA=<photos> bash experiments/loop/walk.sh
# A quarter of an hour on two cores. The figures in README.md are its output.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# Half of the pool is mined; the other half is never looked at before the end.
python "$here/halves.py" "$TAGGER_DATA/unlabelled/images"

# The tagger that there is: it knows nothing of rooms.
python -m tagger.prepare data=corel5k
python -m tagger.train +experiment=baseline data=corel5k +data.catalog=catalogs/corel5k
before=$(ls -d runs/baseline/*/checkpoints/best.ckpt | tail -1)
python -m tagger.export "checkpoint=$before" bundle=corel5k.tagger

# What is it not naming? The two clusters with the most photos of rooms were chosen on the contact sheet.
python -m tagger.mine what=clusters pool=mined.txt data=corel5k bundle=corel5k.tagger
bedrooms=$(python "$here/cluster.py" bedroom)
bathrooms=$(python "$here/cluster.py" bathroom)
rooms=(data=corel5k data.taxonomy=corel5k_rooms.yaml)
python -m tagger.mine what=accept pool=mined.txt "cluster=$bedrooms" label=bedroom data=corel5k to=corel5k_rooms.yaml rest=100 \
    'definition=A room to sleep in, with a bed or a cot in view. Prison cells and berths do not count.'
python -m tagger.mine what=accept pool=mined.txt "cluster=$bathrooms" label=bathroom data=corel5k to=corel5k_rooms.yaml rest=100 \
    'definition=A room with a bath, a shower, a toilet or a washbasin in view. Kitchens do not count.'

# More of them, by the cluster's photos as examples.
for label in bedroom bathroom; do
    python -m tagger.mine what=similar "examples=$label.txt" pool=mined.txt n=30 "label=$label" folds=all "${rooms[@]}"
done

# People decide: here with the verdicts of verdicts.csv, which were given by hand.
python -m tagger.clean step=export to=csv "${rooms[@]}"
tasks=$(ls cleaning/corel5k/tasks/*.csv | tail -1)
python "$here/answer.py" "$tasks"
python -m tagger.clean step=import "from=$tasks" "${rooms[@]}"

# The labels are learnt, the others kept.
python -m tagger.train +experiment=extend "from=$before" taxonomy=corel5k_rooms.yaml data=corel5k +data.catalog=catalogs/corel5k
after=$(ls -d runs/extend/*/checkpoints/best.ckpt | tail -1)
python -m tagger.export "checkpoint=$after" bundle=corel5k_rooms.tagger

# Is it any good on photos that nobody has looked at?
python -m tagger.predict bundle=corel5k_rooms.tagger photos=measured.txt output=measured.jsonl scores=true
python "$here/measure.py" measured.jsonl
