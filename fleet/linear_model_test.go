package fleet_test

import (
	"maps"
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet/internal/nodes"
)

// A request is what a client asked for, and a response what it was told.
type request struct {
	op     string
	key    string
	id     string
	number int
	body   nodes.Body
	list   map[int]nodes.Body
}

type response struct {
	lost bool   // nobody knows what was done
	code string // of the error, if there is one
	got  content
}

// An entry is what a key stands for: its object, and its open uploads with their parts.
type entry struct {
	object  content
	uploads map[string]map[int]nodes.Body
}

func (e entry) equal(other entry) bool {
	same := func(a, b map[int]nodes.Body) bool { return maps.Equal(a, b) }
	return e.object == other.object && maps.EqualFunc(e.uploads, other.uploads, same)
}

// after is the entry after a request, and what a client is told then.
func (e entry) after(r request) (entry, response) {
	uploads := maps.Clone(e.uploads)
	parts, open := uploads[r.id]
	switch r.op {
	case "Put":
		return entry{content{true, r.body}, uploads}, response{}
	case "Delete":
		return entry{content{}, uploads}, response{}
	case "Get":
		if !e.object.there {
			return e, response{code: engine.ErrNoSuchKey.Code}
		}
		return e, response{got: e.object}
	case "Begin":
		uploads[r.id] = nil
		return entry{e.object, uploads}, response{}
	}
	if !open {
		return e, response{code: engine.ErrNoSuchUpload.Code}
	}
	switch r.op {
	case "UploadPart":
		more := map[int]nodes.Body{r.number: r.body}
		for number, body := range parts {
			if number != r.number {
				more[number] = body
			}
		}
		uploads[r.id] = more
		return entry{e.object, uploads}, response{}
	case "Abort":
		delete(uploads, r.id)
		return entry{e.object, uploads}, response{}
	default: // Complete
		var whole nodes.Body
		for _, number := range slices.Sorted(maps.Keys(r.list)) {
			if parts[number] != r.list[number] {
				return e, response{code: engine.ErrInvalidPart.Code}
			}
			whole += parts[number]
		}
		delete(uploads, r.id)
		return entry{content{true, whole}, uploads}, response{}
	}
}

// model is what the calls of a key must look like, in some order. One that was lost was made at any
// time since, or never, which is the same as at the end.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		keys := map[string][]porcupine.Operation{}
		for _, op := range history {
			key := op.Input.(request).key
			keys[key] = append(keys[key], op)
		}
		return slices.Collect(maps.Values(keys))
	},
	Init: func() any { return entry{uploads: map[string]map[int]nodes.Body{}} },
	Step: func(state, input, output any) (bool, any) {
		next, want := state.(entry).after(input.(request))
		told := output.(response)
		return told.lost || told == want, next
	},
	Equal: func(a, b any) bool { return a.(entry).equal(b.(entry)) },
}
