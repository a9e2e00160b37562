"""How sure an accuracy or a difference of accuracies is, and of what: episodes, test videos, trainings, classes."""
