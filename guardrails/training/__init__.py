"""Training of the shipped detectors and descriptors. No module that an audit or a scan runs imports it."""

TRAINERS = {
    "default": "guardrails.training.images:train_shipped",
    "deepfake.cnn": "guardrails.training.residual_network:train_shipped",
    "deepfake.face": "guardrails.training.faces:train_shipped",
    "deepfake.lfcc": "guardrails.training.speech:train_lfcc",
    "deepfake.spectro": "guardrails.training.speech:train_spectro",
    "deepfake.video": "guardrails.training.videos:train_shipped",
}
"""What ``guardrails train detector`` calls, by the detector's id: with a folder and a seed, it returns the files."""
