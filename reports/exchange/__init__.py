"""Formats that other programs read: of CI servers, registries of models, catalogues of controls, spreadsheets."""
