package disk

import (
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// maxAsync is how many calls of an Async are under way without blocking; further ones block.
	// The kernel grants each some of what fs.aio-max-nr allows the whole system.
	maxAsync = 64

	// lookEvery is how often a call looks for its end by itself. The runtime looks for events only
	// when a processor has nothing else to run, but for timers always.
	lookEvery = 500 * time.Microsecond
)

// An Async writes and syncs files without keeping a processor of Go's scheduler meanwhile. A
// goroutine in a system call has one until the runtime finds that the call takes long: when a disk
// is written all the time, those who could compute wait for that all the time. Where the kernel
// offers no asynchronous I/O (see io_setup(2)), the calls block like those of package os.
//
// The zero Async works. It is safe for concurrent use, but Close must come last.
type Async struct {
	mu    sync.Mutex
	lanes int // in use and idle
	idle  []*asyncLane

	collect func(context uintptr, end *ioEvent) (n int, errno unix.Errno) // in place of getEvents, for tests
}

// WriteAt is like that of os.File. p must not change meanwhile.
func (a *Async) WriteAt(f *os.File, p []byte, off int64) error {
	lane := a.take()
	if lane == nil {
		_, err := f.WriteAt(p, off)
		return err
	}
	for len(p) > 0 {
		n, err := lane.do(f, iocbWrite, p, off)
		if lost := (*lostError)(nil); errors.As(err, &lost) {
			// When the lane could be closed, nothing is under way any more, and writing once more
			// is safe.
			if err := a.drop(lane); err != nil {
				return &os.PathError{Op: "write", Path: f.Name(), Err: errors.Join(lost, err)}
			}
			_, err := f.WriteAt(p, off)
			return err
		}
		if err == errNotDone {
			a.give(lane)
			_, err := f.WriteAt(p, off)
			return err
		}
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			a.give(lane)
			return &os.PathError{Op: "write", Path: f.Name(), Err: err}
		}
		p, off = p[n:], off+int64(n)
	}
	a.give(lane)
	return nil
}

// SyncData is like the function of that name. When the kernel does not tell how it ended, that is
// an error: a lost page is reported once, so a second sync that succeeds would prove nothing.
func (a *Async) SyncData(f *os.File) error {
	lane := a.take()
	if lane == nil {
		return SyncData(f)
	}
	_, err := lane.do(f, iocbSyncData, nil, 0)
	if lost := (*lostError)(nil); errors.As(err, &lost) {
		return errors.Join(lost, a.drop(lane))
	}
	a.give(lane)
	if err == errNotDone {
		return SyncData(f)
	}
	return os.NewSyscallError("fdatasync", err)
}

// Close releases what earlier calls left for later ones.
func (a *Async) Close() error {
	errs := make([]error, len(a.idle))
	var closing sync.WaitGroup
	for i, lane := range a.idle {
		closing.Go(func() { errs[i] = lane.close() }) // the kernel takes some 10 ms for each
	}
	closing.Wait()
	a.idle, a.lanes = nil, 0
	return errors.Join(errs...)
}

// take returns a lane that nobody else uses, or nil if there can be none.
func (a *Async) take() *asyncLane {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := len(a.idle) - 1; last >= 0 {
		lane := a.idle[last]
		a.idle = a.idle[:last]
		return lane
	}
	if a.lanes == maxAsync {
		return nil
	}
	lane, err := newAsyncLane()
	if err != nil {
		return nil // forbidden, or the system has too many; the next call tries again
	}
	lane.collect = getEvents
	if a.collect != nil {
		lane.collect = a.collect
	}
	a.lanes++
	return lane
}

func (a *Async) give(lane *asyncLane) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.idle = append(a.idle, lane)
}

// drop closes a lane whose operation may still be under way, and waits for its end: io_destroy(2)
// does. A lane that went back among the idle ones would take the end of this operation for that of
// its next.
func (a *Async) drop(lane *asyncLane) error {
	a.mu.Lock()
	a.lanes--
	a.mu.Unlock()
	return lane.close()
}

// An asyncLane does one thing at a time.
type asyncLane struct {
	collect func(context uintptr, end *ioEvent) (n int, errno unix.Errno)

	context uintptr  // of io_setup(2)
	event   *os.File // an eventfd(2) that becomes readable at the end; the runtime's poller watches it

	// Here, and not on the stack, because they are used while the goroutine waits, whose stack may
	// move.
	request iocb
	pins    runtime.Pinner
	count   [8]byte // what event tells
}

func newAsyncLane() (_ *asyncLane, err error) {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	lane := &asyncLane{event: os.NewFile(uintptr(event), "eventfd")}
	defer func() {
		if err != nil {
			err = errors.Join(err, lane.event.Close())
		}
	}()
	if err := lane.event.SetReadDeadline(time.Time{}); err != nil {
		return nil, err // the poller does not watch it
	}
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&lane.context)), 0); errno != 0 {
		return nil, os.NewSyscallError("io_setup", errno)
	}
	return lane, nil
}

func (l *asyncLane) close() error {
	var err error
	if _, _, errno := unix.Syscall(unix.SYS_IO_DESTROY, l.context, 0, 0); errno != 0 {
		err = os.NewSyscallError("io_destroy", errno)
	}
	return errors.Join(err, l.event.Close())
}

// iocb and ioEvent are the structures of those names in linux/aio_abi.h.
type iocb struct {
	_          uint64    // data
	_          [2]uint32 // key and flags
	opcode     uint16
	_          int16 // priority
	file       uint32
	buf, bytes uint64
	offset     int64
	_          uint64 // reserved
	flags      uint32
	eventfd    uint32
}

type ioEvent struct {
	data, obj uint64
	res, res2 int64
}

const (
	iocbWrite       = 1
	iocbSyncData    = 3
	iocbFlagEventfd = 1
	maxAsyncWrite   = 1 << 30 // of one call
)

// errNotDone says that nothing has happened and that a blocking call may do better. The kernel did
// not take the operation: it is short of memory, or it (before 4.18), the file system or a sandbox
// does not know such a one. Or a signal came in between, which the blocking calls see to.
var errNotDone = errors.New("disk: not done")

// A lostError says that an operation is under way, or was, and that its end cannot be had.
type lostError struct{ err error }

func (e *lostError) Error() string { return "disk: the end of an operation is lost: " + e.err.Error() }

func (e *lostError) Unwrap() error { return e.err }

// do performs one operation and waits for its end. After a lostError the lane must be dropped.
func (l *asyncLane) do(f *os.File, opcode uint16, p []byte, off int64) (n int, err error) {
	cb := &l.request
	*cb = iocb{
		opcode: opcode, file: uint32(f.Fd()), offset: off, flags: iocbFlagEventfd,
		eventfd: uint32(l.event.Fd()),
	}
	if p = p[:min(len(p), maxAsyncWrite)]; len(p) > 0 {
		l.pins.Pin(&p[0])
		defer l.pins.Unpin()
		cb.buf, cb.bytes = uint64(uintptr(unsafe.Pointer(&p[0]))), uint64(len(p))
	}
	_, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, l.context, 1, uintptr(unsafe.Pointer(&cb)))
	runtime.KeepAlive(f)
	if errno != 0 {
		return 0, errNotDone
	}
	end, err := l.wait()
	if err != nil {
		return 0, err
	}
	switch errno := unix.Errno(max(-end.res, 0)); errno {
	case 0:
		return int(end.res), nil
	case unix.EINTR:
		return 0, errNotDone
	default:
		return 0, errno
	}
}

// wait returns how the operation under way has ended.
func (l *asyncLane) wait() (end ioEvent, err error) {
	for {
		// Whatever comes of this is only a hint: the event may be one that has been seen to
		// already.
		_ = l.event.SetReadDeadline(time.Now().Add(lookEvery))
		_, _ = l.event.Read(l.count[:])
		switch n, errno := l.collect(l.context, &end); {
		case errno != 0 && errno != unix.EINTR:
			return end, &lostError{os.NewSyscallError("io_getevents", errno)}
		case errno == 0 && n == 1:
			return end, nil
		}
	}
}

// getEvents looks, without waiting, whether the operation of a context has ended.
func getEvents(context uintptr, end *ioEvent) (n int, errno unix.Errno) {
	var atOnce unix.Timespec
	got, _, errno := unix.Syscall6(
		unix.SYS_IO_GETEVENTS, context, 0, 1, uintptr(unsafe.Pointer(end)),
		uintptr(unsafe.Pointer(&atOnce)), 0,
	)
	return int(got), errno
}
