package crypto

// RecodeRing decodes the text of a key ring and encodes the result.
func RecodeRing(text []byte) ([]byte, error) {
	r, err := decodeRing(text)
	if err != nil {
		return nil, err
	}
	return encodeRing(r), nil
}
