# frozen_string_literal: true

# A function that means harm: it does what its event asks for, and answers with what it could do.

require 'socket'
require 'net/http'

def attempt
  yield
rescue StandardError, NotImplementedError
  false
end

# Each of the acts takes the arguments of the event.
module Acts
  module_function

  def ok(_args) = ['fine']

  def read(args)
    args.select { |path| attempt { !(File.directory?(path) ? Dir.children(path) : File.read(path, 1)).to_a.empty? } }
  end

  def write(args)
    args.select { |path| attempt { File.write(path, 'mine') } }
  end

  def processes(_args)
    Dir.children('/proc').grep(/\A\d+\z/).map do |name|
      parts = %w[cmdline environ].map { |part| (attempt { File.binread("/proc/#{name}/#{part}") } || +'').force_encoding('UTF-8').scrub.tr("\0", ' ') }
      "#{name} #{parts.join(' ')}"
    end
  end

  def signal(args)
    args.select { |pid| attempt { Process.kill(:KILL, pid.to_i) } }
  end

  def calls(args)
    args.map do |call|
      name, number, *rest = call.split
      values = rest.map { |v| v.match?(/\A-?\d+\z/) ? v.to_i : v }
      answer = begin
        Kernel.syscall(number.to_i, *values)
        'done'
      rescue SystemCallError => e
        e.errno
      end
      "#{name} #{answer}"
    end
  end

  def connect(args)
    args.select do |address|
      host, _, port = address.rpartition(':')
      attempt do
        (address.start_with?('@') ? Addrinfo.unix("\0#{address[1..]}") : Addrinfo.tcp(host.delete('[]'), port)).connect(timeout: 1) do |s|
          s.write("GET / HTTP/1.0\r\n\r\n")
          s.wait_readable(1) && s.read(1)
        end
      end
    end
  end

  def forge(args)
    args.product(%w[response error]).map do |id, ending|
      uri = URI("http://#{ENV.fetch('AWS_LAMBDA_RUNTIME_API')}/2018-06-01/runtime/invocation/#{id}/#{ending}")
      "#{ending} #{Net::HTTP.post(uri, '{}').code}"
    end
  end

  def http(args)
    args.map { |path| "#{path} #{Net::HTTP.get_response(URI(ENV.fetch('AWS_ENDPOINT_URL') + path)).code}" }
  end

  def spawn(args)
    Process.detach(Process.spawn(*args, pgroup: true, in: File::NULL, out: File::NULL, err: File::NULL))
    ['spawned']
  end

  def sleep(_args) = Kernel.sleep(3600)

  # Ruby tries again for ever when it may not fork.
  def fork(args)
    n = 0
    Thread.new { loop { Process.spawn(*args) && n += 1 } }
    before = -1
    until before == n
      before = n
      Kernel.sleep(0.5)
    end
    ["refused after #{n}"]
  end

  def memory(_args)
    kept = Array.new(256) { "\1" * (16 << 20) }
    ["allocated #{kept.size}"]
  end

  def fill(_args)
    block = "\0" * (1 << 20)
    File.open('/tmp/fill', 'wb') do |f|
      4096.times do |n|
        f.syswrite(block) == block.bytesize or return ["full after #{n} MiB"]
      rescue SystemCallError => e
        return ["full after #{n} MiB: #{e}"]
      end
    end
    ['never full']
  end

  def files(_args)
    kept = []
    100_000.times do |n|
      kept << File.open('/dev/null')
    rescue SystemCallError => e
      kept.each(&:close)
      return ["refused after #{n}: #{e}"]
    end
    ['never refused']
  end

  def spin(_args)
    8.times { Thread.new { loop {} } }
    loop {}
  end

  def shout(_args)
    line = "#{'noise ' * 10_000}\n"
    loop { $stdout.syswrite(line) }
  end

  def exit(_args) = Process.exit!(3)

  def segfault(_args) = Process.kill(:SEGV, Process.pid)
end

def handler(event:, context:)
  Acts.public_send(event['Act'], event['Args'] || [])
end
