// Command cbtemulator serves Google's Bigtable emulator and keeps its tables on disk.
//
// Google's emulator holds everything in memory, so a restart would lose what a pipeline pushed. This one
// writes every request that changed something to a journal and runs the journal again when it starts.
package main

import (
	"flag"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// All rows are held in memory, and to collect garbage is to look at all of them: rarely, as long as there is room.
const (
	garbagePercent = 400
	room           = 2 << 30
)

func main() {
	address := flag.String("address", "127.0.0.1:8086", "host:port to listen on")
	file := flag.String("journal", "", "file that keeps the tables (required)")
	flag.Parse()
	if *file == "" {
		log.Fatal("cbtemulator: -journal is required: name the file that is to keep the tables")
	}
	debug.SetGCPercent(garbagePercent)
	debug.SetMemoryLimit(room)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	server, err := start(*address, *file)
	if err != nil {
		log.Fatalf("cbtemulator: %v", err)
	}
	log.Printf("cbtemulator: %d requests run again from %s; serving on %s", server.replayed, *file, server.Addr)
	<-stop
	server.close()
}
