package engine

// Compression says how chunks are compressed before they are sealed and stored. The empty one
// stands for the default.
type Compression string

const (
	// CompressionS2 packs each chunk by S2 and keeps that if it is smaller. Of a large chunk it tries
	// a sample first, so that what hardly packs costs hardly anything.
	CompressionS2 Compression = "s2"

	// CompressionNone stores chunks as they are: for what was packed before, or disks that are
	// faster than S2, which packs text at some hundred MB/s a processor.
	CompressionNone Compression = "none"
)

// validate accepts the constants of this package only.
func (c Compression) validate() error {
	return checkChoice(
		c, "Compression", "CompressionS2 or CompressionNone", CompressionS2, CompressionNone,
	)
}
