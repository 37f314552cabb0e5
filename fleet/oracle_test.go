package fleet_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet/internal/nodes"
)

// A content is what a name stands for: a body, or nothing.
type content struct {
	there bool
	body  nodes.Body
}

func (c content) String() string {
	if !c.there {
		return "nothing"
	}
	return fmt.Sprint([]rune(c.body))
}

// Contents are those that a name may stand for: one, but for calls of which nobody knows whether
// they have done something.
type contents []content

func (c contents) known() (content, bool) { return c[0], len(c) == 1 }

// mayFail says that an error is one of those that a client is to try again.
func mayFail(err error) bool {
	e, ok := errors.AsType[*engine.Error](err)
	return ok && (e.HTTPStatus == 503 || e.HTTPStatus == 507)
}

// excused says that a call may fail so in the course of a day.
func excused(err error) bool { return errors.Is(err, nodes.ErrGone) || mayFail(err) }

// An author is a client that has a bucket for itself, and knows what must be in it. It makes its
// calls one after another, each of any node.
type author struct {
	*cluster
	rng     *rand.Rand
	bucket  string
	objects map[string]contents
	uploads map[string]*upload // by id

	lost         int // uploads that may have been initiated, and whose id nobody knows
	acknowledged int // calls
}

// An upload is one that was initiated. It may be over if its last call was lost.
type upload struct {
	key   string
	parts map[int]contents
	over  bool // perhaps
}

// outcome is what a name may stand for after a call that was to have it stand for something else.
// What has failed has done nothing; what was lost, perhaps.
func (a *author) outcome(what string, before contents, after content, err error) contents {
	switch {
	case err == nil:
		a.acknowledged++
		return contents{after}
	case errors.Is(err, nodes.ErrGone):
		if !slices.Contains(before, after) {
			return append(slices.Clone(before), after)
		}
	case !mayFail(err):
		a.Errorf("%s: %v", what, err)
	}
	return before
}

// body is one of a few that all authors have in common, or one of many.
func (a *author) body() nodes.Body { return nodes.Part(a.rng.Int32N(2) * a.rng.Int32N(1000)) }

// step makes a call.
func (a *author) step() {
	node := a.any(a.rng)
	key := fmt.Sprint("key", a.rng.IntN(4))
	switch a.rng.IntN(10) {
	case 0, 1:
		body := a.body()
		a.settle("Put", key, content{true, body}, node.Put(a.bucket, key, body, 0))
	case 2:
		a.settle("Delete", key, content{}, node.Delete(a.bucket, key))
	case 3, 4:
		if _, err := a.read(node, key); err != nil {
			a.outcome("Get", nil, content{}, err)
		}
	case 5:
		a.begin(node, key)
	default:
		a.work(node)
	}
}

// of is what a key may stand for.
func (a *author) of(key string) contents {
	if c := a.objects[key]; c != nil {
		return c
	}
	return contents{{}}
}

// settle takes in the end of a call that was to change an object.
func (a *author) settle(what, key string, to content, err error) {
	a.objects[key] = a.outcome(what, a.of(key), to, err)
}

// read reads an object, which must be what it may be.
func (a *author) read(node *nodes.Node, key string) (got content, err error) {
	body, err := node.Get(a.bucket, key, 0)
	if errors.Is(err, engine.ErrNoSuchKey) {
		err = nil
	} else {
		got = content{err == nil, body}
	}
	if err == nil && !slices.Contains(a.of(key), got) {
		a.Errorf("%s/%s is %v, want one of %v", a.bucket, key, got, a.of(key))
	}
	return got, err
}

// begin initiates an upload.
func (a *author) begin(node *nodes.Node, key string) {
	id, err := node.Begin(a.bucket, key)
	a.outcome("Begin", nil, content{}, err)
	switch {
	case err == nil:
		a.uploads[id] = &upload{key: key, parts: map[int]contents{}}
	case errors.Is(err, nodes.ErrGone):
		a.lost++
	}
}

// work goes on with some upload.
func (a *author) work(node *nodes.Node) {
	if len(a.uploads) == 0 {
		return
	}
	id := slices.Sorted(maps.Keys(a.uploads))[a.rng.IntN(len(a.uploads))]
	switch n := a.rng.IntN(8); {
	case a.uploads[id].over || n == 0:
		a.abort(node, id)
	case n < 6:
		a.part(node, id)
	default:
		a.complete(node, id)
	}
}

// part uploads a part.
func (a *author) part(node *nodes.Node, id string) {
	up, number, body := a.uploads[id], 1+a.rng.IntN(3), a.body()
	before := up.parts[number]
	if before == nil {
		before = contents{{}}
	}
	err := node.UploadPart(a.bucket, up.key, id, number, body, 0)
	up.parts[number] = a.outcome("UploadPart", before, content{true, body}, err)
}

// complete completes an upload, if it is known what parts it has.
func (a *author) complete(node *nodes.Node, id string) {
	up := a.uploads[id]
	var list []engine.CompletedPart
	var whole nodes.Body
	for _, number := range slices.Sorted(maps.Keys(up.parts)) {
		part, known := up.parts[number].known()
		if !known {
			return
		}
		if part.there {
			list = append(list, engine.CompletedPart{PartNumber: number, ETag: part.body.ETag()})
			whole += part.body
		}
	}
	if len(list) == 0 {
		return
	}
	err := node.Complete(a.bucket, up.key, id, list)
	a.settle("Complete", up.key, content{true, whole}, err)
	a.end(id, err)
}

// abort aborts an upload, which may be over.
func (a *author) abort(node *nodes.Node, id string) {
	up := a.uploads[id]
	err := node.Abort(a.bucket, up.key, id)
	if up.over && errors.Is(err, engine.ErrNoSuchUpload) {
		err = nil
	}
	a.outcome("Abort", nil, content{}, err)
	a.end(id, err)
}

// end takes in the end of a call after which an upload is over.
func (a *author) end(id string, err error) {
	if err == nil {
		delete(a.uploads, id)
	}
	if errors.Is(err, nodes.ErrGone) {
		a.uploads[id].over = true
	}
}

// verify compares all that the author knows of with what a node has, while nothing is under way.
// From then on it knows what became of calls that were lost.
func (a *author) verify() {
	for key := range a.objects {
		var got content
		err := a.calmly(a.rng, func(node *nodes.Node) (err error) {
			got, err = a.read(node, key)
			return err
		})
		if err != nil {
			a.Errorf("Get of %s/%s: %v", a.bucket, key, err)
		}
		a.objects[key] = contents{got}
	}
	var keys []string
	err := a.calmly(a.rng, func(node *nodes.Node) (err error) {
		keys, err = node.Keys(a.bucket)
		return err
	})
	if err != nil {
		a.Errorf("listing %s: %v", a.bucket, err)
	}
	var want []string
	for key, is := range a.objects {
		if is[0].there {
			want = append(want, key)
		}
	}
	if slices.Sort(want); !slices.Equal(keys, want) {
		a.Errorf("%s has %q, want %q", a.bucket, keys, want)
	}
	a.verifyUploads()
}

// verifyUploads compares the uploads, and aborts those of which nobody knows.
func (a *author) verifyUploads() {
	var listed []nodes.Call
	err := a.calmly(a.rng, func(node *nodes.Node) (err error) {
		listed, err = node.Uploads(a.bucket)
		return err
	})
	if err != nil {
		a.Errorf("listing uploads of %s: %v", a.bucket, err)
	}
	open := map[string]bool{}
	for _, up := range listed {
		open[up.UploadID] = true
		if a.uploads[up.UploadID] != nil {
			continue
		}
		if a.lost--; a.lost < 0 {
			a.Errorf("%s has an upload %s that nobody has initiated, or that is over", a.bucket, up.UploadID)
		}
		err := a.calmly(a.rng, func(node *nodes.Node) error {
			return node.Abort(up.Bucket, up.Key, up.UploadID)
		})
		if err != nil {
			a.Errorf("Abort of upload %s: %v", up.UploadID, err)
		}
	}
	a.lost = 0
	for id, up := range a.uploads {
		switch {
		case open[id]:
			up.over = false
			a.verifyParts(id)
		case up.over:
			delete(a.uploads, id)
		default:
			a.Errorf("%s has no upload %s any more", a.bucket, id)
		}
	}
}

// verifyParts compares the parts of an upload.
func (a *author) verifyParts(id string) {
	up := a.uploads[id]
	var listed []engine.CompletedPart
	err := a.calmly(a.rng, func(node *nodes.Node) (err error) {
		listed, err = node.Parts(a.bucket, up.key, id)
		return err
	})
	if err != nil {
		a.Errorf("listing parts of %s: %v", id, err)
		return
	}
	etags := map[int]string{}
	for _, part := range listed {
		etags[part.PartNumber] = part.ETag
	}
	for number, may := range up.parts {
		i := slices.IndexFunc(may, func(c content) bool {
			return c.there && c.body.ETag() == etags[number] || !c.there && etags[number] == ""
		})
		if i < 0 {
			a.Errorf("part %d of %s has the ETag %q, want one of %v", number, id, etags[number], may)
			continue
		}
		up.parts[number] = may[i : i+1]
	}
}
