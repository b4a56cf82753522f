package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"os"
	"path/filepath"
	"sync"
	"time"

	adminpb "cloud.google.com/go/bigtable/admin/apiv2/adminpb"
	btpb "cloud.google.com/go/bigtable/apiv2/bigtablepb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	tables     = "/google.bigtable.admin.v2.BigtableTableAdmin/"
	data       = "/google.bigtable.v2.Bigtable/"
	mutateRows = data + "MutateRows"
)

// call is a method that changes tables: how it is named and what it answers.
type call struct {
	method string
	answer proto.Message
}

// journaledCalls has every call that changes tables, by its request's message name.
var journaledCalls = map[string]call{
	nameOf(&adminpb.CreateTableRequest{}):          {tables + "CreateTable", &adminpb.Table{}},
	nameOf(&adminpb.DeleteTableRequest{}):          {tables + "DeleteTable", &emptypb.Empty{}},
	nameOf(&adminpb.ModifyColumnFamiliesRequest{}): {tables + "ModifyColumnFamilies", &adminpb.Table{}},
	nameOf(&adminpb.DropRowRangeRequest{}):         {tables + "DropRowRange", &emptypb.Empty{}},
	nameOf(&btpb.MutateRowRequest{}):               {data + "MutateRow", &btpb.MutateRowResponse{}},
	nameOf(&btpb.MutateRowsRequest{}):              {mutateRows, &btpb.MutateRowsResponse{}},
	nameOf(&btpb.CheckAndMutateRowRequest{}):       {data + "CheckAndMutateRow", &btpb.CheckAndMutateRowResponse{}},
	nameOf(&btpb.ReadModifyWriteRowRequest{}):      {data + "ReadModifyWriteRow", &btpb.ReadModifyWriteRowResponse{}},
}

func nameOf(message proto.Message) string {
	return string(message.ProtoReflect().Descriptor().FullName())
}

// journal keeps the requests that changed something, in the order in which they took effect.
type journal struct {
	mutex     sync.Mutex // held while a request runs and is written: journal and tables agree on the order
	file      *os.File
	replaying bool
}

func openJournal(path string) (*journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	return &journal{file: file, replaying: true}, err
}

func (j *journal) close() { j.file.Close() }

// run runs a changing request and writes it down once it has succeeded. Nothing is synced to the disk:
// the file must survive the death of this process, not of the machine.
func (j *journal) run(request proto.Message, handle func() error) error {
	if _, changes := journaledCalls[nameOf(request)]; !changes {
		return handle()
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	setServerTimes(request, time.Now())
	if err := handle(); err != nil || j.replaying {
		return err
	}
	entry, err := anypb.New(request)
	if err != nil {
		return err
	}
	_, err = protodelim.MarshalTo(j.file, entry)
	return err
}

func (j *journal) unary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	message, ok := request.(proto.Message)
	if !ok {
		return handler(ctx, request)
	}
	var answer any
	err := j.run(message, func() (err error) {
		answer, err = handler(ctx, request)
		return err
	})
	return answer, err
}

func (j *journal) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if info.FullMethod != mutateRows {
		return handler(server, stream)
	}
	request := &btpb.MutateRowsRequest{}
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	return j.run(request, func() error { return handler(server, &received{stream, request}) })
}

// received is a stream whose one request has been read already.
type received struct {
	grpc.ServerStream
	request proto.Message
}

// RecvMsg implements grpc.ServerStream. Nobody changes a request any more, so that its entries are shared: to copy
// them costs about as much as to store them.
func (r *received) RecvMsg(into any) error {
	message := into.(proto.Message).ProtoReflect()
	r.request.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		message.Set(field, value)
		return true
	})
	return nil
}

// replay gives every request of the journal to invoke and returns how many there were. An entry cut off
// by a SIGKILL is removed: its client never got an answer.
func (j *journal) replay(invoke func(method string, request, answer proto.Message) error) (int, error) {
	reader := &counting{Reader: bufio.NewReader(j.file)}
	unlimited := protodelim.UnmarshalOptions{MaxSize: -1}
	for count := 0; ; count++ {
		whole := reader.read
		entry := &anypb.Any{}
		err := unlimited.UnmarshalFrom(reader, entry)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return count, j.continueAt(whole)
		}
		if err != nil {
			return count, err
		}
		request, err := entry.UnmarshalNew()
		if err != nil {
			return count, err
		}
		known := journaledCalls[nameOf(request)]
		if err := invoke(known.method, request, proto.Clone(known.answer)); err != nil {
			log.Printf("cbtemulator: entry %d of the journal, %s, no longer works: %v", count, known.method, err)
		}
	}
}

func (j *journal) continueAt(offset int64) error {
	j.replaying = false
	if err := j.file.Truncate(offset); err != nil {
		return err
	}
	_, err := j.file.Seek(offset, io.SeekStart)
	return err
}

// counting counts the bytes that its user took.
type counting struct {
	*bufio.Reader
	read int64
}

// Read implements io.Reader.
func (c *counting) Read(into []byte) (int, error) {
	n, err := c.Reader.Read(into)
	c.read += int64(n)
	return n, err
}

// ReadByte implements io.ByteReader.
func (c *counting) ReadByte() (byte, error) {
	b, err := c.Reader.ReadByte()
	if err == nil {
		c.read++
	}
	return b, err
}

func drain(stream grpc.ClientStream, answer proto.Message) error {
	for {
		if err := stream.RecvMsg(answer); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// setServerTimes replaces "the server's time" (-1) in a request by now, so that it means the same when it
// is run again.
func setServerTimes(request proto.Message, now time.Time) {
	switch r := request.(type) {
	case *btpb.MutateRowRequest:
		setTimes(r.Mutations, now)
	case *btpb.MutateRowsRequest:
		for _, entry := range r.Entries {
			setTimes(entry.Mutations, now)
		}
	case *btpb.CheckAndMutateRowRequest:
		setTimes(r.TrueMutations, now)
		setTimes(r.FalseMutations, now)
	}
}

func setTimes(mutations []*btpb.Mutation, now time.Time) {
	for _, mutation := range mutations {
		if cell := mutation.GetSetCell(); cell != nil && cell.TimestampMicros == -1 {
			cell.TimestampMicros = now.UnixMilli() * 1000
		}
	}
}
