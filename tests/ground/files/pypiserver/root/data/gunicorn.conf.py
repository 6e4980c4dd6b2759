"""gunicorn's settings in the image, with the official image's values; mount a file here to replace them."""

errorlog = "-"
preload_app = True
workers = 1
worker_class = "gevent"
