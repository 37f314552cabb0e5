package index

import (
	"bytes"
	"math/rand/v2"
)

// A node is the root of an immutable ordered map: a treap whose operations copy the path they
// change and share the rest, so that whoever holds a root holds a snapshot. nil is the empty map.
type node struct {
	entry
	priority    uint32 // smaller than both children's
	left, right *node
}

// An entry is a record, or in a map of changes also the removal of one.
type entry struct {
	key, value []byte
	removed    bool
	writer     uint64 // which update wrote it, in a map of changes
}

// find returns the entry under key, or nil.
func (n *node) find(key []byte) *entry {
	for n != nil {
		switch order := bytes.Compare(key, n.key); {
		case order < 0:
			n = n.left
		case order > 0:
			n = n.right
		default:
			return &n.entry
		}
	}
	return nil
}

// with returns the map with e in it.
func (n *node) with(e entry) *node {
	if n == nil {
		return &node{entry: e, priority: rand.Uint32()}
	}
	root := *n
	switch order := bytes.Compare(e.key, n.key); {
	case order < 0:
		root.left = n.left.with(e)
		if up := root.left; up.priority < root.priority {
			root.left, up.right = up.right, &root
			return up
		}
	case order > 0:
		root.right = n.right.with(e)
		if up := root.right; up.priority < root.priority {
			root.right, up.left = up.left, &root
			return up
		}
	default:
		root.entry = e
	}
	return &root
}

// without returns the map with nothing under key.
func (n *node) without(key []byte) *node {
	if n == nil {
		return nil
	}
	root := *n
	switch order := bytes.Compare(key, n.key); {
	case order < 0:
		root.left = n.left.without(key)
	case order > 0:
		root.right = n.right.without(key)
	default:
		return join(n.left, n.right)
	}
	return &root
}

// join makes one map of two, all of whose keys in left are smaller than those in right.
func join(left, right *node) *node {
	switch {
	case left == nil:
		return right
	case right == nil:
		return left
	case left.priority < right.priority:
		root := *left
		root.right = join(left.right, right)
		return &root
	default:
		root := *right
		root.left = join(left, right.left)
		return &root
	}
}

// A cursor walks a map in ascending order.
type cursor struct {
	path []*node // the nodes whose left side is done, the next one last
	end  []byte  // nil is no bound
}

// seek returns a cursor for start <= key < end.
func (n *node) seek(start, end []byte) *cursor {
	c := &cursor{end: end}
	for n != nil {
		if bytes.Compare(start, n.key) <= 0 {
			c.path = append(c.path, n)
			n = n.left
		} else {
			n = n.right
		}
	}
	return c
}

// next returns nil after the last entry.
func (c *cursor) next() *entry {
	if len(c.path) == 0 {
		return nil
	}
	n := c.path[len(c.path)-1]
	if c.end != nil && bytes.Compare(n.key, c.end) >= 0 {
		return nil
	}
	c.path = c.path[:len(c.path)-1]
	for child := n.right; child != nil; child = child.left {
		c.path = append(c.path, child)
	}
	return &n.entry
}

// all yields the entries of a map of changes.
func (n *node) all(yield func(Change) bool) {
	c := n.seek(nil, nil)
	for e := c.next(); e != nil; e = c.next() {
		if !yield(Change{Key: e.key, Value: e.value, Removed: e.removed}) {
			return
		}
	}
}
