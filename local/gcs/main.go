// Command fake-gcs serves Google Cloud Storage's JSON API from a folder of this machine.
//
// It is fake-gcs-server as a library, plus the generation preconditions that it accepts and ignores
// (see preconditions.go). Objects, generations and metadata survive a restart and a SIGKILL.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// The library reads whole uploads into memory; without a limit Go keeps gigabytes after one big file.
const memoryLimit = 512 << 20

func main() {
	address := flag.String("address", "127.0.0.1:4443", "host:port to listen on")
	root := flag.String("root", "", "folder that holds the objects (required)")
	flag.Parse()
	if *root == "" {
		log.Fatal("fake-gcs: -root is required: name the folder that is to hold the objects")
	}
	debug.SetMemoryLimit(memoryLimit)
	if err := serve(*address, *root); err != nil {
		log.Fatalf("fake-gcs: %v", err)
	}
}

// newHandler returns Cloud Storage's API over the objects in root, as clients reach it at address.
func newHandler(address, root string) (http.Handler, error) {
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		NoListener:      true,
		StorageRoot:     root,
		Scheme:          "http",
		ExternalURL:     "http://" + address,
		PublicHost:      address, // without it signed URLs answer 404
		BucketsLocation: "US",
	})
	if err != nil {
		return nil, err
	}
	return checkPreconditions(server, server.HTTPHandler()), nil
}

func serve(address, root string) error {
	handler, err := newHandler(address, root)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	go func() {
		<-stop.Done()
		deadline, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := server.Shutdown(deadline); err != nil {
			server.Close()
		}
	}()
	log.Printf("fake-gcs: serving %s on http://%s", root, address)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
