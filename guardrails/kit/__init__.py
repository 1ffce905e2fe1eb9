"""The ground, also for generators: bounded readers, features, training, language-model scoring."""
