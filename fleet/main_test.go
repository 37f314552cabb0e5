package fleet_test

import (
	"os"
	"testing"

	"github.com/gabion-storage/gabion/fleet/internal/nodes"
)

func TestMain(m *testing.M) {
	nodes.Main()
	os.Exit(m.Run())
}
