-- wrk asks for one page, as each of some users in turn: their headers are the arguments, `Name: value` each.
local requests = {}
local turn = 0

function init(arguments)
  for index, value in ipairs(arguments) do
    local name, rest = value:match("^([^:]+): (.*)$")
    requests[index] = wrk.format("GET", nil, { [name] = rest })
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end
