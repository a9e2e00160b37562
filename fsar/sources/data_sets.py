"""How the files of each published data set are found and named, by its name."""

from fsar.sources import diving48, hmdb51, kinetics, something, ucf101

FILES = {module.FILES.of.name: module.FILES for module in (hmdb51, ucf101, kinetics, something, diving48)}
