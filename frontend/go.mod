module github.com/gabion-storage/gabion/frontend

go 1.26.0

replace github.com/gabion-storage/gabion => ../
