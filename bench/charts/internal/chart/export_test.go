package chart

// Ticks returns the ticks of a scale.
func Ticks(least, most float64, log bool) (values []float64, texts []string) {
	s := newScale(least, most, log)
	for _, v := range s.ticks {
		texts = append(texts, s.text(v))
	}
	return s.ticks, texts
}

var Spread = spread
