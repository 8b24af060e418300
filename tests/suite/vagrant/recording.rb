# Stands in for Vagrant: evaluates a Vagrantfile and says what it sets, a line each.
class Recorder
  SAID = []

  def initialize(path)
    @path = path
  end

  def method_missing(name, *words, **named, &block)
    shown = (words.map(&:inspect) + named.map { |key, value| "#{key}: #{value.inspect}" }).join(", ")
    here = "#{@path}.#{name}"
    if name.end_with?("=")
      SAID << "#{@path}.#{name.to_s.chomp('=')} = #{shown}"
    elsif block
      SAID << "#{here}(#{shown}):"
      block.call(Recorder.new(words.first.is_a?(String) ? words.first : here), *[])
    elsif words.empty? && named.empty?
      Recorder.new(here)
    else
      SAID << "#{here}(#{shown})"
    end
  end

  def respond_to_missing?(*)
    true
  end
end

module Vagrant
  def self.configure(version)
    yield Recorder.new("config")
    puts "version #{version}", Recorder::SAID
  end
end

load ARGV.fetch(0)
