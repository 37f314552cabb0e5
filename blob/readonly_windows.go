package blob

// canReadOnly says whether Badger can open a database read-only on this platform. It cannot on
// Windows: a sealed volume is opened for writing there, though nothing is written.
const canReadOnly = false
