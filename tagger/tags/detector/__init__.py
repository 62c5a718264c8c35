"""Small objects: what a detector sees on a photo, fused into the network's scores before relations and thresholds.

classes      what the numbers mean that a detector calls things by
picture      photo → float32 picture, no side longer than a limit
onnx_detector  picture → highest score of every class, with onnxruntime, without torch
mapping      classes → labels, through the label system
------------ what is above needs no torch: a bundle runs it
torchvision_detector   SSD300 and SSDlite → the same ONNX signature
cache        highest scores of the photos of a catalog, computed once
fusion       scores of network and detector → scores
calibration, choosing   what validation says about the two
settings, fusion_callback     the configuration group, and the callback that puts it all together
"""
