package app

import "path/filepath"

// path returns the path of a file in the data directory.
func (a *App) path(name string) string { return filepath.Join(a.config.Data, name) }
