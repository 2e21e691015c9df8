"""Reports: what git platforms are told of deployments and previews, kept up to date."""
