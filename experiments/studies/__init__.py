"""The shipped studies, one TOML file each."""
