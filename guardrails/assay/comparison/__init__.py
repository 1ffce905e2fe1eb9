"""Two audits compared: what is worse beyond noise, and which failures a waiver or a baseline excuses."""
