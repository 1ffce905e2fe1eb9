"""Training of the shipped detectors and descriptors. Audits and scans never import it."""

TRAINERS = {
    "default": "guardrails.training.images:train_shipped",
    "deepfake.cnn": "guardrails.training.residual_network:train_shipped",
    "deepfake.face": "guardrails.training.faces:train_shipped",
    "deepfake.spectro": "guardrails.training.speech:train_spectro",
    "deepfake.video": "guardrails.training.videos:train_shipped",
}
"""What ``guardrails train detector`` calls, by the detector's id: with a folder and a seed, it returns the files."""
