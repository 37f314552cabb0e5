package index

// Opaque is a record of whatever kind, which is not decoded.
type Opaque struct{}

// Carried are the tables whose records say the same wherever the store is, so that a copy of it has
// them byte by byte: all but the header and the mark of a clone, what says where chunks are and
// what is counted of that, and what nodes of a fleet say of themselves.
func Carried() (tables []Range[Opaque]) {
	for _, table := range []byte{
		bucketTable, uploadTable, partTable, pageTable, partsTable, objectTable, trashTable,
		inlineTable, sharedTable, doneTable, waitingTable, answerTable, idleTable, endsTable,
	} {
		tables = append(tables, tableRange[Opaque](table))
	}
	return tables
}
