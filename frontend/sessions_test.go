package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gabion-storage/gabion/frontend/internal/clients"
)

func TestSessionsShowWhatIsServed(t *testing.T) {
	all := sessions("127.0.0.1:1", "127.0.0.1:2", "/d/keys")
	for _, want := range []string{
		"http://127.0.0.1:1", "http://127.0.0.1:2", "/d/keys", "aws ", "ossutil ",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, unwanted := range []string{":9000", ":9001", "DIR"} {
		if strings.Contains(all, unwanted) {
			t.Errorf("%q is there", unwanted)
		}
	}
	if s := sessions("127.0.0.1:1", "", "/d/keys"); strings.Contains(s, "aws ") {
		t.Error("S3 is shown, and not served")
	}
	if s := sessions("", "127.0.0.1:2", "/d/keys"); strings.Contains(s, "ossutil ") {
		t.Error("OSS is shown, and not served")
	}
}

func TestTheREADMEShowsTheSessions(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), sessionsText) {
		t.Error("README.md does not show what the command prints: sessions.txt")
	}
}

// TestTheSessionsWork runs what the command prints, by a shell, as it is printed.
func TestTheSessionsWork(t *testing.T) {
	clients.Need(t)
	store, home := t.TempDir(), t.TempDir()
	p := startCommand(t, store)
	shown := strings.Split(sessions(strings.TrimPrefix(p.oss, "http://"),
		strings.TrimPrefix(p.s3, "http://"), filepath.Join(store, "keys")), "\n\n")
	if err := os.MkdirAll(filepath.Join(home, "pictures", "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"big", "below/a b"} {
		content := make([]byte, 20<<20)
		if err := os.WriteFile(filepath.Join(home, "pictures", name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key, ossutil := shown[2], filepath.Dir(clients.Ossutil(t))
	for tool, want := range map[string]string{
		"ossutil": "Object Number is: 3", // with the directory
		"aws":     "2026/below/a b", "rclone": "2 matching files",
	} {
		t.Run(tool, func(t *testing.T) {
			_, err := exec.LookPath(tool)
			if tool != "ossutil" && err != nil && os.Getenv("GABION_CLIENTS") != "all" {
				t.Skip(err)
			}
			session := shown[slices.IndexFunc(shown, func(s string) bool {
				return strings.HasPrefix(s, "# "+tool)
			})]
			shell := exec.CommandContext(t.Context(), "sh", "-e", "-c", key+"\n"+session)
			shell.Dir = home
			shell.Env = []string{"HOME=" + home, "PATH=" + ossutil + ":" + os.Getenv("PATH")}
			out, err := shell.CombinedOutput()
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
