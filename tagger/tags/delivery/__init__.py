"""What is delivered: one file with everything that it takes to tag.

trained      a checkpoint and its run's folder → what a bundle says of itself
graph        network, detector's part, relations and thresholds → ONNX, compared with the checkpoint
quantisation, remeasuring, eight_bit   the same in integers, with thresholds and figures of its own
manifest, curve, model_card   what a bundle says
bundle       the file, written whole and read with suspicion
registry, served   the same as a model of MLflow
"""
