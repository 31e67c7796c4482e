"""The composition root: one module per environment (`settings.dev`, `settings.test`, `settings.production`)."""

import apps as apps  # appends the platform/ source root to sys.path
