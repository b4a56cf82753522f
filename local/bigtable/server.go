package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"cloud.google.com/go/bigtable/bttest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
)

// As in Google's emulator: a batch of rows may be far above gRPC's usual 4 MiB.
const maxMessage = 256 << 20

// journaled is the emulator with its journal.
type journaled struct {
	*bttest.Server
	gate     *gate
	journal  *journal
	replayed int
	closing  sync.Once
}

// start runs the journal's requests and then serves at address.
func start(address, file string) (*journaled, error) {
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	entries, err := openJournal(file)
	if err != nil {
		return nil, err
	}
	gate := newGate(tcp)
	server, err := bttest.NewServerWithListener(gate,
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxMessage),
		grpc.UnaryInterceptor(entries.unary),
		grpc.StreamInterceptor(entries.stream),
	)
	if err != nil {
		return nil, err
	}
	replayed, err := replay(gate, entries)
	if err != nil {
		return nil, fmt.Errorf("running %s again: %w (delete the file to start with no tables)", file, err)
	}
	gate.open()
	return &journaled{Server: server, gate: gate, journal: entries, replayed: replayed}, nil
}

func (s *journaled) close() {
	s.closing.Do(func() {
		s.gate.Close() // first: the server waits for its listener to end and does not end it itself
		s.Server.Close()
		s.journal.close()
	})
}

func replay(gate *gate, entries *journal) (int, error) {
	connection, err := grpc.NewClient("passthrough:///journal",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(maxMessage), grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return gate.inside, nil }),
	)
	if err != nil {
		return 0, err
	}
	defer gate.inside.Close() // an empty journal never dials, and the server would wait for its greeting
	defer connection.Close()
	return entries.replay(func(method string, request, answer proto.Message) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if method != mutateRows {
			return connection.Invoke(ctx, method, request, answer)
		}
		stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
		if err != nil {
			return err
		}
		if err := stream.SendMsg(request); err != nil {
			return err
		}
		if err := stream.CloseSend(); err != nil {
			return err
		}
		return drain(stream, answer)
	})
}

// gate lets one connection from inside this process through at once and holds all others back until it
// is opened, so that no client sees tables that are only half there.
type gate struct {
	net.Listener
	inside  net.Conn
	first   chan net.Conn
	opened  chan struct{}
	opening sync.Once
}

func newGate(tcp net.Listener) *gate {
	inside, outside := net.Pipe()
	first := make(chan net.Conn, 1)
	first <- outside
	return &gate{Listener: tcp, inside: inside, first: first, opened: make(chan struct{})}
}

// Accept implements net.Listener.
func (g *gate) Accept() (net.Conn, error) {
	select {
	case connection := <-g.first:
		return connection, nil
	default:
	}
	<-g.opened
	return g.Listener.Accept()
}

func (g *gate) open() { g.opening.Do(func() { close(g.opened) }) }
