"""How onnxruntime is opened, for the network of a bundle and for detectors."""

from typing import Any

from tagger.errors import UserError


def open_session(model: bytes, *, threads: int | None) -> Any:
    """Return an onnxruntime session of a graph.

    Args:
        model: The ONNX graph.
        threads: Threads it computes with; None takes as many as there are cores.

    Raises:
        UserError: If onnxruntime is missing.
        ValueError: If the graph cannot be read.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError("this needs onnxruntime: pip install tagger[runtime]") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    # What onnxruntime would print, it also raises.
    options.log_severity_level = 4
    # Threads that wait in a loop take the cores from the processes that decode photos.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # onnxruntime's exceptions have no common ancestor of their own.
    except Exception as error:
        raise ValueError(str(error)) from error
