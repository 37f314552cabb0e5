// Package nodes runs nodes of a fleet for tests. Each is a process of its own, the test's program
// once more, and is told what to do through a pipe.
package nodes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet"
)

// ErrGone is returned when a node has ended before it answered. Nobody knows what it has done.
var ErrGone = errors.New("nodes: the node is gone")

// Config says what a node is.
type Config struct {
	fleet.Config
	Lease time.Duration

	// Immortal has the node commit without looking for its lease.
	Immortal bool
}

// environment is the name of the variable that makes a process a node.
const environment = "GABION_TEST_NODE"

// Main is called by a test's TestMain before anything else. In a process that is a node it does not
// return.
func Main() {
	if text := os.Getenv(environment); text != "" {
		if err := serve(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// A Node is a running node. Its methods may be called from many goroutines, but those that end it.
// Calls fail with ErrGone, or with an *engine.Error that has no more than code, status and message.
type Node struct {
	Config Config

	process *exec.Cmd
	client  *rpc.Client
	stderr  *bytes.Buffer
}

// Start starts a node, and returns when it has opened the store. The test's end kills it.
func Start(t *testing.T, c Config) (*Node, error) {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	n := &Node{Config: c, process: exec.Command(os.Args[0]), stderr: &bytes.Buffer{}}
	n.process.Env = append(os.Environ(), environment+"="+string(text))
	n.process.Stderr = n.stderr
	in, err := n.process.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := n.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := n.process.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(n.Kill)
	n.client = rpc.NewClient(&pipe{out, in})
	if _, err := n.call("Ready", Call{}); err != nil {
		n.Kill()
		return nil, fmt.Errorf("node %s: %w: %s", c.Node, err, n.stderr)
	}
	return n, nil
}

// pipe is both ends of the connection to a process.
type pipe struct {
	io.Reader
	io.WriteCloser
}

// Kill kills the node, as often as one likes.
func (n *Node) Kill() {
	_ = n.process.Process.Kill()
	_ = n.process.Wait() // says that it was killed
}

// Stop has the node do nothing until Continue.
func (n *Node) Stop() error { return n.process.Process.Signal(syscall.SIGSTOP) }

// Continue lets a node go on that was stopped.
func (n *Node) Continue() error { return n.process.Process.Signal(syscall.SIGCONT) }

// Close has the node close its engine and end.
func (n *Node) Close() error {
	if err := n.client.Close(); err != nil {
		return err
	}
	if err := n.process.Wait(); err != nil {
		return fmt.Errorf("node %s: %w: %s", n.Config.Node, err, n.stderr)
	}
	return nil
}

func (n *Node) call(method string, c Call) (a Answer, err error) {
	err = n.client.Call("Service."+method, &c, &a)
	text, ok := err.(rpc.ServerError)
	if !ok {
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrGone, err)
		}
		return a, err
	}
	e := &engine.Error{}
	if err := json.Unmarshal([]byte(text), e); err != nil {
		return a, err
	}
	return a, e
}

// CreateBucket makes a bucket, if it is not there.
func (n *Node) CreateBucket(bucket string) error {
	_, err := n.call("CreateBucket", Call{Bucket: bucket})
	return err
}

// Put stores an object. The second half of the body comes after a pause; so do those of parts.
func (n *Node) Put(bucket, key string, body Body, pause time.Duration) error {
	_, err := n.call("Put", Call{Bucket: bucket, Key: key, Body: body, Pause: pause})
	return err
}

// Get reads an object, the second half after a pause.
func (n *Node) Get(bucket, key string, pause time.Duration) (Body, error) {
	a, err := n.call("Get", Call{Bucket: bucket, Key: key, Pause: pause})
	return a.Body, err
}

// Delete deletes an object.
func (n *Node) Delete(bucket, key string) error {
	_, err := n.call("Delete", Call{Bucket: bucket, Key: key})
	return err
}

// Begin initiates an upload.
func (n *Node) Begin(bucket, key string) (id string, err error) {
	a, err := n.call("Begin", Call{Bucket: bucket, Key: key})
	return a.UploadID, err
}

// UploadPart uploads a part of an upload.
func (n *Node) UploadPart(bucket, key, id string, part int, body Body, pause time.Duration) error {
	_, err := n.call("UploadPart", Call{
		Bucket: bucket, Key: key, UploadID: id, Part: part, Body: body, Pause: pause,
	})
	return err
}

// Complete completes an upload with these parts.
func (n *Node) Complete(bucket, key, id string, parts []engine.CompletedPart) error {
	_, err := n.call("Complete", Call{Bucket: bucket, Key: key, UploadID: id, Parts: parts})
	return err
}

// Abort aborts an upload.
func (n *Node) Abort(bucket, key, id string) error {
	_, err := n.call("Abort", Call{Bucket: bucket, Key: key, UploadID: id})
	return err
}

// Parts lists the parts of an upload.
func (n *Node) Parts(bucket, key, id string) ([]engine.CompletedPart, error) {
	a, err := n.call("Parts", Call{Bucket: bucket, Key: key, UploadID: id})
	return a.Parts, err
}

// Keys lists the objects of a bucket.
func (n *Node) Keys(bucket string) ([]string, error) {
	a, err := n.call("Keys", Call{Bucket: bucket})
	return a.Keys, err
}

// Uploads lists the open uploads of a bucket, as calls that are about them.
func (n *Node) Uploads(bucket string) ([]Call, error) {
	a, err := n.call("Uploads", Call{Bucket: bucket})
	return a.Uploads, err
}

// Reclaim gives space back.
func (n *Node) Reclaim() error {
	_, err := n.call("Reclaim", Call{})
	return err
}

// Check checks the store with all its data, and returns the problems.
func (n *Node) Check() ([]string, error) {
	a, err := n.call("Check", Call{})
	return a.Problems, err
}

// LiveBytes says how many bytes live in volumes.
func (n *Node) LiveBytes() (int64, error) {
	a, err := n.call("Stats", Call{})
	return a.LiveBytes, err
}
