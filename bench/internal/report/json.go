package report

import (
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON writes the report for ReadJSON and other programs.
func (r *Report) WriteJSON(w io.Writer) error {
	if err := r.Validate(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// ReadJSON reads what WriteJSON wrote. It refuses a report that is not valid.
func ReadJSON(rd io.Reader) (*Report, error) {
	r := &Report{}
	if err := json.NewDecoder(rd).Decode(r); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return r, r.Validate()
}
