module github.com/gabion-storage/gabion/bench/charts

go 1.26.0

replace github.com/gabion-storage/gabion => ../..

require (
	github.com/gabion-storage/gabion v0.0.0-00010101000000-000000000000
	golang.org/x/image v0.47.0 // it draws text and antialiased shapes into PNGs, which the standard library can not
)

require (
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
