package blake3lanes

import "unsafe"

// Bytes of what is compressed at a time, and of a leaf of the tree.
const (
	blockSize = 64
	chunkSize = 1024
)

// groupSize is the length of the messages whose leaves are kept side by side.
const groupSize = 256 * chunkSize

// mostGroups is how many groups, of growing size, wait for a neighbour at most.
const mostGroups = 23 // of a message of MaxSize: 2^40/2^18, and one more

// A tree is what is needed to hash one message.
type tree struct {
	key    *Key
	lanes  lanes
	nodes  [groupSize / chunkSize]value // of a level of a group, from left to right
	pair   [2]value                     // two nodes on their own
	padded [chunkSize]byte              // the end of a message, behind which come zeros
}

// sum returns the hash of data, which has more than one chunk.
func (t *tree) sum(key *Key, data []byte) [32]byte {
	t.key, t.lanes.key = key, key.words
	// No key and nothing of a message stays in a pool.
	defer func() { t.key, t.lanes.key, t.padded = nil, value{}, [chunkSize]byte{} }()

	var left [mostGroups]value // each of a complete tree, which is larger than the next
	var waiting, groups int
	for ; len(data) > groupSize; data = data[groupSize:] {
		v := t.group(data[:groupSize], groups, 1)[0]
		groups++
		for n := groups; n%2 == 0; n /= 2 {
			waiting--
			v = t.parent(left[waiting], v, 0)
		}
		left[waiting] = v
		waiting++
	}
	if waiting == 0 {
		top := t.group(data, 0, 2)
		root := t.parent(top[0], top[1], flagRoot)
		return root.bytes()
	}
	v := t.group(data, groups, 1)[0]
	for waiting--; waiting > 0; waiting-- {
		v = t.parent(left[waiting], v, 0)
	}
	root := t.parent(left[0], v, flagRoot)
	return root.bytes()
}

// group returns the topmost nodes, at most so many, of the tree over a group, or over the last one,
// which may be shorter.
func (t *tree) group(data []byte, number, most int) []value {
	first := number * (groupSize / chunkSize)
	n := len(data) / chunkSize
	t.leaves(data, n, first)
	if rest := data[n*chunkSize:]; len(rest) > 0 {
		t.nodes[n] = t.lastLeaf(rest, first+n)
		n++
	}
	// A node without a neighbour goes up as it is: so all trees on the left are complete ones.
	for n > most {
		t.parents(n / 2)
		if n%2 == 1 {
			t.nodes[n/2] = t.nodes[n-1]
		}
		n = (n + 1) / 2
	}
	return t.nodes[:n]
}

// leaves makes the nodes of whole chunks, the first of which has a number.
func (t *tree) leaves(data []byte, n, first int) {
	l := &t.lanes
	l.flags, l.first, l.last, l.size = t.key.flags, flagChunkStart, flagChunkEnd, blockSize
	for at := 0; at < n; at += width {
		used := min(n-at, width)
		l.place(used, chunkSize)
		for i := range l.counters {
			l.counters[i] = uint32(first + at + i)
		}
		kernel(l, &data[at*chunkSize], chunkSize/blockSize)
		t.collect(at, used)
	}
}

// lastLeaf returns the node of a chunk that is not whole.
func (t *tree) lastLeaf(data []byte, number int) value {
	blocks := (len(data) + blockSize - 1) / blockSize
	clear(t.padded[copy(t.padded[:], data):])
	l := &t.lanes
	l.flags, l.first, l.last = t.key.flags, flagChunkStart, flagChunkEnd
	l.size = uint32(len(data) - (blocks-1)*blockSize)
	l.place(1, chunkSize)
	l.counters[0] = uint32(number)
	kernel(l, &t.padded[0], blocks)
	return l.value(0)
}

// parents replaces the first n pairs of nodes by their parents.
func (t *tree) parents(n int) {
	t.beParents(0)
	for at := 0; at < n; at += width {
		used := min(n-at, width)
		t.lanes.place(used, blockSize)
		kernel(&t.lanes, bytesOf(&t.nodes[2*at]), 1)
		t.collect(at, used)
	}
}

// parent returns the parent of two nodes.
func (t *tree) parent(left, right value, flags uint32) value {
	t.beParents(flags)
	t.pair = [2]value{left, right}
	t.lanes.place(1, blockSize)
	kernel(&t.lanes, bytesOf(&t.pair[0]), 1)
	return t.lanes.value(0)
}

// beParents has the lanes make parents.
func (t *tree) beParents(flags uint32) {
	l := &t.lanes
	l.flags, l.first, l.last, l.size = t.key.flags|flagParent|flags, 0, 0, blockSize
	l.counters = [width]uint32{}
}

// collect puts what came out of the lanes among the nodes.
func (t *tree) collect(at, used int) {
	for i := range used {
		t.nodes[at+i] = t.lanes.value(i)
	}
}

// bytesOf is where the bytes of nodes are: BLAKE3's words are in little endian, and so is a CPU that
// has a kernel.
func bytesOf(v *value) *byte { return (*byte)(unsafe.Pointer(v)) }
