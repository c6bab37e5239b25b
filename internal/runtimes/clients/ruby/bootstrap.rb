# frozen_string_literal: true

# Lambent's runtime client for Ruby: loads a handler and serves it over the Lambda Runtime API.
#
# Started ahead of need (LAMBENT_PARKED) it runs a handler of its own, which brings in what a real one will use, until an answer to "next" carries an
# assignment: the environment of a function, whose code is in place by then.

require 'json'

module Lambent
  PREFIX = '/2018-06-01/runtime/'

  # An error of the function or of the runtime, with the type that the platform is told.
  class Fault < StandardError
    attr_reader :type, :trace

    def initialize(type, message, trace = [])
      super(message)
      @type = type
      @trace = trace
    end

    def self.of(error, part)
      frames = (error.backtrace || []).reject { |f| f.start_with?('/var/runtime/') || f.start_with?('<internal:') }
      new("#{part}<#{error.class.name}>", error.message, frames)
    end

    def document
      { errorMessage: message, errorType: type, stackTrace: trace }
    end
  end

  # One kept connection to the Runtime API.
  class Connection
    def initialize
      fd = ENV.delete('LAMBENT_RUNTIME_FD')
      if fd
        @io = IO.for_fd(fd.to_i, 'r+b')
        @io.close_on_exec = true
      else
        require 'socket'
        host, port = ENV.fetch('AWS_LAMBDA_RUNTIME_API').split(':')
        @io = TCPSocket.new(host, (port || 80).to_i)
        @io.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
      end
      @io.sync = true
      @rest = String.new(capacity: 16_384, encoding: Encoding::BINARY)
    end

    def self.request(method, path, body = '', fields = '')
      "#{method} #{PREFIX}#{path} HTTP/1.1\r\nHost: lambda\r\n#{fields}Content-Length: #{body.bytesize}\r\n\r\n".b << body.b
    end

    def write(data)
      data = data.byteslice(@io.syswrite(data)..) until data.empty?
    end

    # Returns the header fields in lower case and the body of one response.
    def read
      fill until (head = @rest.index("\r\n\r\n"))
      fields = {}
      @rest.byteslice(0, head).split("\r\n").drop(1).each do |line|
        name, value = line.split(':', 2)
        fields[name.downcase] = value.strip
      end
      stop = head + 4 + fields.fetch('content-length', '0').to_i
      fill while @rest.bytesize < stop
      body = @rest.byteslice(head + 4, stop - head - 4)
      @rest = @rest.byteslice(stop..)
      [fields, body]
    end

    private

    def fill
      @rest << @io.readpartial(65_536)
    rescue EOFError, Errno::ECONNRESET
      exit!(0) # the platform has gone away
    end
  end

  # What a handler may know of its invocation.
  class Context
    attr_reader :aws_request_id, :invoked_function_arn, :log_group_name, :log_stream_name, :function_name, :memory_limit_in_mb, :function_version,
                :identity, :client_context, :deadline_ms, :tenant_id

    def initialize(fields)
      @aws_request_id = fields['lambda-runtime-aws-request-id']
      @invoked_function_arn = fields['lambda-runtime-invoked-function-arn']
      @deadline_ms = fields['lambda-runtime-deadline-ms'].to_i
      @tenant_id = fields['lambda-runtime-aws-tenant-id']
      @identity = parse(fields['lambda-runtime-cognito-identity'])
      @client_context = parse(fields['lambda-runtime-client-context'])
      @log_group_name = ENV['AWS_LAMBDA_LOG_GROUP_NAME']
      @log_stream_name = ENV['AWS_LAMBDA_LOG_STREAM_NAME']
      @function_name = ENV['AWS_LAMBDA_FUNCTION_NAME']
      @function_version = ENV['AWS_LAMBDA_FUNCTION_VERSION']
      @memory_limit_in_mb = ENV['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']
    end

    def get_remaining_time_in_millis
      [deadline_ms - (Time.now.to_f * 1000).to_i, 0].max
    end

    def log(message)
      puts message
    end

    private

    def parse(document)
      JSON.parse(document) if document
    end
  end

  # The method that a function is configured with: file.method, or file.Class.method.
  class Handler
    def initialize(root, name)
      file, *rest = name.split('.')
      raise ArgumentError, "Invalid handler #{name}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where FILENAME corresponds with an existing Ruby source file FILENAME.rb, CLASS is an optional module/class namespace and METHOD is a callable method. If using CLASS, METHOD must be a class-level method." unless [1, 2].include?(rest.size)

      load_file(File.join(root, file))
      @method = rest.pop.to_sym
      @owner = rest.empty? ? nil : Object.const_get(rest.first)
      raise NameError, "undefined method `#{@method}'" if @owner ? !@owner.respond_to?(@method) : !Object.private_method_defined?(@method) && !Object.method_defined?(@method)
    rescue NameError, ArgumentError, LoadError, SyntaxError => e
      raise Fault.of(e, 'Init')
    end

    def call(event, context)
      (@owner || self).__send__(@method, event: event, context: context)
    end

    private

    def load_file(path)
      require path
    end
  end

  # Has the debugger listen when it waits for commands, and not before: what it says of its first stop would go to a connection that has not told yet in
  # which protocol it wants to hear it.
  module Patient
    ASKED = Queue.new

    def accept
      ASKED.pop
      super
    end

    def readline(prompt)
      ASKED.close
      super
    end
  end

  # The loop of invocations.
  class Runtime
    NEXT = Connection.request('GET', 'invocation/next')

    def initialize
      @connection = Connection.new
      $stdout.sync = true
      $stderr.sync = true
    end

    def run
      park if ENV.delete('LAMBENT_PARKED')
      root = ENV.fetch('LAMBDA_TASK_ROOT', '/var/task')
      $LOAD_PATH.unshift(root) unless $LOAD_PATH.first == root
      begin
        debugger = ENV.delete('LAMBENT_DEBUGGER')
        open_debugger(debugger) if debugger
        handler = Handler.new(root, ENV['_HANDLER'].to_s)
      rescue Exception => e # rubocop:disable Lint/RescueException
        fault = e.is_a?(Fault) ? e : Fault.of(e, 'Init')
        log(fault)
        @connection.write(failure('init/error', fault))
        @connection.read
        exit!(1)
      end
      serve(handler)
    end

    private

    # Opens the debugger of the gem debug, which may lie in a folder of gems, at a port. It stops at the next line until a debugger is attached.
    def open_debugger(at)
      port, folder = at.split(':', 2)
      Gem.paths = { 'GEM_PATH' => [*Gem.path, folder].join(':') } if folder
      require 'debug/session'
      require 'debug/server'
      DEBUGGER__::UI_TcpServer.prepend(Patient)
      DEBUGGER__.open(host: '127.0.0.1', port: port.to_i)
    end

    # Serves events of the platform's own until the process is assigned to a function.
    def park
      variables = serve(Handler.new(File.join(__dir__, 'warm'), 'lambent_warm.lambent_warm'))
      Object.__send__(:undef_method, :lambent_warm)
      $LOADED_FEATURES.reject! { |f| f.end_with?('/lambent_warm.rb') }
      ENV.replace(variables.to_h { |v| v.split('=', 2) })
      Dir.chdir(ENV.fetch('LAMBDA_TASK_ROOT'))
      Gem.clear_paths
    end

    # Serves invocations; returns the variables of an assignment.
    def serve(handler)
      out = NEXT
      loop do
        @connection.write(out)
        id = nil
        until id # the answer to what was sent before "next" comes first
          fields, body = @connection.read
          return JSON.parse(body) if fields['lambent-assignment']

          id = fields['lambda-runtime-aws-request-id']
        end
        ENV['_X_AMZN_TRACE_ID'] = fields['lambda-runtime-trace-id']
        out = answer(handler, id, fields, body) + NEXT
      end
    end

    def answer(handler, id, fields, body)
      event = body.empty? ? nil : JSON.parse(body.force_encoding(Encoding::UTF_8))
      result = handler.call(event, Context.new(fields))
      Connection.request('POST', "invocation/#{id}/response", JSON.generate(result), "Content-Type: application/json\r\n")
    rescue SystemExit, NoMemoryError => e
      @connection.write(failure("invocation/#{id}/error", Fault.of(e, 'Function')))
      exit!(1)
    rescue Exception => e # rubocop:disable Lint/RescueException
      fault = Fault.of(e, 'Function')
      log(fault)
      failure("invocation/#{id}/error", fault)
    end

    def failure(path, fault)
      kind = fault.type.gsub(/[^ -~]/, '?')
      Connection.request('POST', path, JSON.generate(fault.document), "Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: #{kind}\r\n")
    end

    # What belongs together in one log event is one line: lines within are separated by CR.
    def log(fault)
      text = "Error raised from handler method\n#{JSON.generate(fault.document)}"
      $stdout.write("#{text.tr("\n", "\r")}\n")
    end
  end
end

Lambent::Runtime.new.run
